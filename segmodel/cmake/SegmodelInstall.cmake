# What others build against: libsegmodel.a and .so, the public headers, segmodelConfig.cmake and segmodel.pc.
# No file names the folder it was installed to, so the prefix may be moved. All of it is the install
# component segmodel_development. The build tree is a package too: segmodel_DIR may be its folder segmodel.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(SEGMODEL_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/segmodel)

install(TARGETS segmodel segmodel_shared EXPORT segmodelTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT segmodel_development
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT segmodel_development)
install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/include/segmodel
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT segmodel_development)
install(EXPORT segmodelTargets NAMESPACE segmodel::
    DESTINATION ${SEGMODEL_PACKAGE_DIR} COMPONENT segmodel_development)
export(EXPORT segmodelTargets NAMESPACE segmodel:: FILE ${CMAKE_CURRENT_BINARY_DIR}/segmodelTargets.cmake)

configure_package_config_file(
    ${CMAKE_CURRENT_LIST_DIR}/segmodelConfig.cmake.in
    ${CMAKE_CURRENT_BINARY_DIR}/segmodelConfig.cmake
    INSTALL_DESTINATION ${SEGMODEL_PACKAGE_DIR}
    NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(
    ${CMAKE_CURRENT_BINARY_DIR}/segmodelConfigVersion.cmake
    VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion) # 0.x: no promises yet
install(FILES
    ${CMAKE_CURRENT_BINARY_DIR}/segmodelConfig.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/segmodelConfigVersion.cmake
    DESTINATION ${SEGMODEL_PACKAGE_DIR} COMPONENT segmodel_development)

# pkg-config finds the prefix from where the .pc file lies; folders that were given in full stay as they
# are. What the static library needs itself comes with `pkg-config --static`.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    set(SEGMODEL_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
else()
    file(RELATIVE_PATH SEGMODEL_PC_PREFIX
        ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
    string(REGEX REPLACE "/$" "" SEGMODEL_PC_PREFIX "\${pcfiledir}/${SEGMODEL_PC_PREFIX}")
endif()
foreach(name LIBDIR INCLUDEDIR)
    set(SEGMODEL_PC_${name} "${CMAKE_INSTALL_${name}}")
    if(NOT IS_ABSOLUTE "${SEGMODEL_PC_${name}}")
        string(PREPEND SEGMODEL_PC_${name} "\${prefix}/")
    endif()
endforeach()
set(SEGMODEL_PC_LIBRARIES "-lm ${CMAKE_THREAD_LIBS_INIT}")
foreach(library IN LISTS CMAKE_DL_LIBS)
    string(APPEND SEGMODEL_PC_LIBRARIES " -l${library}")
endforeach()
configure_file(${CMAKE_CURRENT_LIST_DIR}/segmodel.pc.in segmodel.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/segmodel.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT segmodel_development)

set(licence ${CMAKE_CURRENT_LIST_DIR}/../../LICENSE)
if(EXISTS ${licence}) # this folder may have been taken alone
    install(FILES ${licence} DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/segmodel
        COMPONENT segmodel_development)
endif()

if(SEGMODEL_ALONE AND TARGET segmodel_tool) # the root project installs all programs in one place
    install(TARGETS segmodel_tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
