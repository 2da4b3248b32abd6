"""The pages of admins: people, organisations, and the changes that take two. No business of the market is on them."""
