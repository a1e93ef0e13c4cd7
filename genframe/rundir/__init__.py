"""A run's folder on disk."""

from genframe.rundir.directory import RunDirectory
from genframe.rundir.files import storage_errors, write_atomically

__all__ = ["RunDirectory", "storage_errors", "write_atomically"]
