"""What is kept of a resident: to be taken away, and to be erased with a receipt. docs/personal-data.md."""
