"""What has been measured, kept in SQLite; recovery of a damaged store; the calibration log."""
