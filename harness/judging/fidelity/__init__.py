"""Would every alert of a compressed run have fired, ended and stayed silent so in production?"""
