#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the digits 0-9 in the fonts of this machine into glyphs.png, which make_digits.c distorts into data sets.

usage: draw_glyphs.py [glyphs.png]     needs: python3-pil and Debian's fonts-dejavu-core fonts-liberation fonts-freefont-ttf

One row a font, one column a digit, cells of 24x24 pixels, white on black, the glyph centred by its bounding box.
The last rows are the fonts whose digits are kept for testing only (see make_digits.c: TEST_FONTS).
"""
import sys
from PIL import Image, ImageDraw, ImageFont

CELL = 24
FONTS = [  # path below /usr/share/fonts/truetype
    'dejavu/DejaVuSans.ttf', 'dejavu/DejaVuSans-Bold.ttf', 'dejavu/DejaVuSerif.ttf', 'dejavu/DejaVuSansMono.ttf',
    'liberation/LiberationSans-Regular.ttf', 'liberation/LiberationSans-Bold.ttf', 'liberation/LiberationSerif-Regular.ttf',
    'liberation/LiberationSerif-Italic.ttf', 'liberation/LiberationMono-Regular.ttf', 'liberation/LiberationSansNarrow-Regular.ttf',
    'freefont/FreeSans.ttf', 'freefont/FreeSerif.ttf', 'freefont/FreeMono.ttf', 'freefont/FreeSansBold.ttf', 'freefont/FreeSerifBold.ttf',
    # test fonts
    'dejavu/DejaVuSerif-Bold.ttf', 'liberation/LiberationSerif-Bold.ttf', 'freefont/FreeMonoBold.ttf', 'liberation/LiberationSans-Italic.ttf',
]


def draw(font, digit):
    left, top, right, bottom = font.getbbox(digit)
    cell = Image.new('L', (CELL, CELL))
    ImageDraw.Draw(cell).text(((CELL - right - left) / 2, (CELL - bottom - top) / 2), digit, font=font, fill=255)
    return cell


def main():
    sheet = Image.new('L', (CELL * 10, CELL * len(FONTS)))
    for row, name in enumerate(FONTS):
        font = ImageFont.truetype('/usr/share/fonts/truetype/' + name, 20)
        for digit in range(10):
            sheet.paste(draw(font, str(digit)), (digit * CELL, row * CELL))
    sheet.save(sys.argv[1] if len(sys.argv) > 1 else 'glyphs.png', optimize=True)


main()
