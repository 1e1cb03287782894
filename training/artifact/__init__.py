"""What a trained model is: directory format, tokenizer, infilling layout, network.

Training writes it, server and evaluation read it, and this is its only definition. Nothing here
knows how a model is trained or served: no accelerate, no datasets, no pygls.
"""
