"""Pages that play models in a browser: what is bundled of export/web, and the models, in one HTML file or a folder."""
