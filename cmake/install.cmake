# SPDX-License-Identifier: Apache-2.0
# make install: the command, the libraries, the headers, and what pkg-config and CMake need to find them. The installed tree finds its
# parts relative to itself, so that it can be moved, and DESTDIR and --prefix need no new configuration.
# OpenVINO's headers go below lib/tarn/compat (see compat.cmake): an installed OpenVINO is not shadowed.
include(CMakePackageConfigHelpers)
set(TARN_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/tarn)

file(RELATIVE_PATH BIN_TO_LIB ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
set_target_properties(tarn_cli PROPERTIES INSTALL_RPATH "$ORIGIN/${BIN_TO_LIB}")
# The simulated NPU is looked for beside libtarn.so.
install(TARGETS tarn_cli tarn ze_tarn_npu
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/tarn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_BINARY_DIR}/share/man/man1/tarn.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)

file(RELATIVE_PATH LIB_TO_INCLUDE ${CMAKE_INSTALL_FULL_LIBDIR} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
configure_file(${CMAKE_CURRENT_LIST_DIR}/install/tarn.pc.in ${CMAKE_BINARY_DIR}/installed/tarn.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/installed/tarn.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/install/TarnConfig.cmake.in ${CMAKE_BINARY_DIR}/installed/TarnConfig.cmake
  INSTALL_DESTINATION ${TARN_PACKAGE_DIR} PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/installed/TarnConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/installed/TarnConfig.cmake ${CMAKE_BINARY_DIR}/installed/TarnConfigVersion.cmake
  DESTINATION ${TARN_PACKAGE_DIR})

# The manual page is what `tarn help` says.
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/share/man/man1/tarn.1
  COMMAND ${PROJECT_SOURCE_DIR}/scripts/gen-man $<TARGET_FILE:tarn_cli> ${CMAKE_BINARY_DIR}/share/man/man1/tarn.1
  DEPENDS tarn_cli ${PROJECT_SOURCE_DIR}/scripts/gen-man VERBATIM)
add_custom_target(man ALL DEPENDS ${CMAKE_BINARY_DIR}/share/man/man1/tarn.1)
