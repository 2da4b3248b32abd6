"""A venue to look at: made-up people, and a market that they have brought into every state that can be shown."""
