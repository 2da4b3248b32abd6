"""Two ways to run the project: `public` shows what is published, `venue` adds accounts and a database."""
