// Nothing of its own: the library exists for its precompiled header.
