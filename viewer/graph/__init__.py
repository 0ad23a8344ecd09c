"""ONNX files from anywhere: screening, inspection, limits."""
