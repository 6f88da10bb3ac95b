"""The starter model: texts and images meet, untrained.

    python -m image_search.starter OUTDIR

It is a small image-text model for places where no
model hub can be reached, built offline from Python
packages. `AutoModel` and `AutoProcessor` of
transformers load OUTDIR. An image and a text each
become a vector of 384 numbers, and the cosine of the
two says how well they fit.

Nobody trained the two towers together. They meet
because the image tower speaks in text vectors:

    image -> EfficientNet-lite2
          -> scores of 1,000 classes
          -> weighted sum of the classes' vectors
    text  -> MiniLM
          -> mean over the tokens

That is the idea of ConSE (Norouzi et al. 2013,
https://arxiv.org/abs/1312.5650): a picture of
something between "espresso" and "soup bowl" lands
between those words, near words that are no classes
themselves. ConSE weights the best classes by their
probability. Here a class's weight is what its score
exceeds a threshold by: that needs no sorting, and so
can be written as ordinary layers.

Both towers have to be stock transformers models, so
that only weights are saved and no code. Arithmetic
that the stock models lack is therefore written into
spare layers, as weights: see `write_classifier` and
`build_text_tower`.

    floor 3   dual_encoder, which joins the towers
    floor 2   classes, what each class is in words
    floor 1   image_tower, text_tower
    floor 0   ingredients, the packages' data files

`__main__` is the command line.
"""
