"""The base of the admin's pages of objects. Every change is an operation, so that clients sync it."""
