"""Carrying out a plan on this host: one fresh process for each observation, and A/B runs."""
