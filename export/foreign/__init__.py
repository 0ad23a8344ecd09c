"""ONNX files of other programs, written anew as one file with a card.

The only part of the export that knows the viewer: how such a file is read is found out by running it, and a guess has
to be the viewer's own. It needs no torch.
"""
