"""The pages, one module each: what to show is gathered here, how it looks is in the templates."""
