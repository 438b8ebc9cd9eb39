"""The routes of an account, and who a request is from."""
