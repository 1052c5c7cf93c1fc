"""Readers: each turns one kind of source (files, PostgreSQL) into a stream of UTF-8 CSV bytes."""
