"""In the place of pandas: it is not installed. pyarrow imports it wherever it is, and no command needs it."""

raise ModuleNotFoundError("pandas is kept from the commands that tests start")
