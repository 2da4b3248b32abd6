"""The pages of participants about themselves: applying, their organisation's data and contact, keys of the API."""
