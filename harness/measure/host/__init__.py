"""This host: what it is, how busy it is, and the best rates that it reaches."""
