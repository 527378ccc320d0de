"""Tests of harness, one folder for each question that they answer."""
