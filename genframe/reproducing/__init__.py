"""What ``genframe reproduce`` does: trains what an experiment names, keeps what was found, writes the page."""
