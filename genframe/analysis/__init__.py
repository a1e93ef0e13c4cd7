"""Numerics that several plugins share."""
