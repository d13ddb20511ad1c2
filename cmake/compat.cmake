# SPDX-License-Identifier: Apache-2.0
# lib/tarn/compat: what lets programs written for OpenVINO build unchanged, in a folder of its own so that it shadows no
# installed OpenVINO: PKG_CONFIG_PATH=build/lib/tarn/compat, or cmake -DOpenVINO_DIR=build/lib/tarn/compat.
include(GNUInstallDirs)
set(COMPAT ${CMAKE_BINARY_DIR}/lib/tarn/compat)
file(MAKE_DIRECTORY ${COMPAT})
file(CREATE_LINK ../../libtarn.so ${COMPAT}/libopenvino_c.so SYMBOLIC)
# compat_files(<folder> <path of the headers for pkg-config> <the same for CMake>)
function(compat_files folder COMPAT_INCLUDEDIR_PC COMPAT_INCLUDEDIR_CMAKE)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/compat/openvino.pc.in ${folder}/openvino.pc @ONLY)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/compat/OpenVINOConfig.cmake.in ${folder}/OpenVINOConfig.cmake @ONLY)
endfunction()
compat_files(${COMPAT} ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/include)

# The installed tree finds its parts relative to itself.
set(INSTALLED ${CMAKE_BINARY_DIR}/compat-installed)
compat_files(${INSTALLED} [[${pcfiledir}/include]] [[${CMAKE_CURRENT_LIST_DIR}/include]])
install(DIRECTORY ${INSTALLED}/ DESTINATION ${CMAKE_INSTALL_LIBDIR}/tarn/compat)
install(FILES ${COMPAT}/libopenvino_c.so DESTINATION ${CMAKE_INSTALL_LIBDIR}/tarn/compat)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/openvino DESTINATION ${CMAKE_INSTALL_LIBDIR}/tarn/compat/include)
