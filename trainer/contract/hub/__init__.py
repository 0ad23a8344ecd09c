"""Models of the Hugging Face hub: ``hub:OWNER/NAME[@REVISION][/FILE.onnx]``. No torch; ``names`` is the standard
library only, and ``huggingface_hub`` is imported when a name is looked up."""
