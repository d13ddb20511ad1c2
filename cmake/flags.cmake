# SPDX-License-Identifier: Apache-2.0
# Flags every target shares, and the per-file instruction-set flags of the kernels.

add_library(tarn_flags INTERFACE)
target_compile_definitions(tarn_flags INTERFACE _GNU_SOURCE TARN_VERSION="${PROJECT_VERSION}")
target_compile_options(tarn_flags INTERFACE
  -Wall -Wextra -Wvla -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wno-missing-field-initializers
  -ffp-contract=off -fno-math-errno $<$<BOOL:${TARN_WERROR}>:-Werror>
  $<$<CONFIG:Release,RelWithDebInfo>:-O3>)
target_include_directories(tarn_flags INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})
if(TARN_SANITIZE)
  target_compile_options(tarn_flags INTERFACE -fsanitize=${TARN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(tarn_flags INTERFACE -fsanitize=${TARN_SANITIZE})
endif()
if(TARN_FUZZ)
  target_compile_options(tarn_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(tarn_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(TARN_COVERAGE)
  target_compile_options(tarn_flags INTERFACE --coverage)
  target_link_options(tarn_flags INTERFACE --coverage)
endif()

# A source named *_avx2.c, *_avxvnni.c, *_avx512.c or *_avx512vnni.c is compiled for that level; everything else is baseline x86-64
# (or another architecture, where these files are left out).
set(TARN_ISA_avx2 -mavx2 -mfma -mf16c)
set(TARN_ISA_avxvnni ${TARN_ISA_avx2} -mavxvnni)
set(TARN_ISA_avx512 ${TARN_ISA_avx2} -mavx512f -mavx512bw -mavx512vl -mavx512dq)
set(TARN_ISA_avx512vnni ${TARN_ISA_avx512} -mavx512vnni -mavx512vbmi)
set(TARN_X86 OFF)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(TARN_X86 ON)
endif()

# Fuzzing instruments the readers, not the kernels: with all of it clang takes minutes for each of these files.
set(TARN_ISA_PLAIN $<$<BOOL:${TARN_FUZZ}>:-fno-sanitize=all>)

# tarn_isa_flags(<list variable>): sets the flags of the kernel sources in the list, or drops them off x86.
function(tarn_isa_flags var)
  set(keep "")
  foreach(src IN LISTS ${var})
    if(src MATCHES "_(avx2|avxvnni|avx512|avx512vnni)\\.c$")
      if(TARN_X86)
        set_source_files_properties(${src} PROPERTIES COMPILE_OPTIONS "${TARN_ISA_${CMAKE_MATCH_1}};${TARN_ISA_PLAIN}")
        list(APPEND keep ${src})
      endif()
    else()
      list(APPEND keep ${src})
    endif()
  endforeach()
  set(${var} ${keep} PARENT_SCOPE)
endfunction()
