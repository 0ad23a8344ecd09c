"""Turn trained networks into one self-describing ONNX file each."""
