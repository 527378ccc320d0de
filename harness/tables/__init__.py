"""Result tables of this program and of others, read into one type. Compares nothing."""
