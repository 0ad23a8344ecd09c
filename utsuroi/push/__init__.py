"""``utsuroi push FILE.onnx OWNER/NAME``: a model, its page and its player, on the Hugging Face hub."""
