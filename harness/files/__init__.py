"""Files that people write and programs exchange: untrusted YAML, JSON and TOML in; atomic writes and checksums out."""
