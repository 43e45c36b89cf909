"""Two contenders in fresh processes, epoch by epoch in turn: which is faster, and how sure is that?"""
