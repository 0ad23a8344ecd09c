"""What several modes use: sessions, pages of images, sampling, saving."""
