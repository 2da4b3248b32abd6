"""The ways a replay misbehaves, one table `MODES` a module: what is answered instead, sent, or changed in a row."""
