"""Resources as they are sent, written by ``example.py`` and compared by a test."""
