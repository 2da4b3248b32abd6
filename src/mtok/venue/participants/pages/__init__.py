"""The participants' pages: forms on `actions`, tables of what `told` tells. They work without scripts."""
