"""Readers of result tables, one for each tool that writes them."""
