"""The values that travel between rooms: plan, record, validity, assessment, and the JSON file of a run."""
