"""Faces in photographs: landmarks, and cutting them out."""
