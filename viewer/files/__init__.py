"""Images in and out: PNGs with recipes, sets, inputs, results."""
