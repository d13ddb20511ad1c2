# SPDX-License-Identifier: Apache-2.0
# cmake -DOUT=file.h -DFILES=a;b -P embed.cmake: text files as an array of {name, text}. Bytes, since compilers limit the length of
# string literals.
set(body "")
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME)
  string(MAKE_C_IDENTIFIER ${name} word)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(APPEND head "static const char part_${word}[] = {${bytes}0};\n")
  string(APPEND body "\t{\"${name}\", part_${word}},\n")
endforeach()
file(WRITE ${OUT}.new "${head}static const struct {\n\tconst char *name, *text;\n} page_parts[] = {\n${body}};\n")
file(RENAME ${OUT}.new ${OUT})
