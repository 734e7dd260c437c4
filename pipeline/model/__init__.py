"""The values that flow through the line: `Job -> bytes -> render -> renditions -> write -> Record -> manifest`.

All are frozen and picklable. Paths of sources and targets are `str` relative to the source or target root, with `/`
between parts and undecodable bytes carried as surrogates (`os.fsencode` gives the exact bytes back). Times of files are
integer nanoseconds since 1970, durations are float seconds, sizes are bytes, pictures are measured in pixels.
"""
