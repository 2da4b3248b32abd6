"""The pages of those who run the venue: the desk, the treasury, auditors. They show what the reveal table lists."""
