"""harness: run a small sparse model here, and judge what an article claims of hardware that is not here."""
