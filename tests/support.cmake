# What several test programs and fuzz targets are made of, compiled once.
if(TARGET paytower_test_files)
  return()
endif()

# Databases of lnd's and of older versions of ours, made up as tests want them.
add_library(paytower_test_files STATIC
  ${CMAKE_CURRENT_LIST_DIR}/lnd/bbolt_writer.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lnd/channel_db_files.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lnd/kv_bytes.cpp
  ${CMAKE_CURRENT_LIST_DIR}/migrations/legacy_maker.cpp
  ${CMAKE_CURRENT_LIST_DIR}/migrations/many_records.cpp)
target_link_libraries(paytower_test_files PUBLIC paytower_import paytower_lnd paytower_migrations)

# A network in a file.
add_library(paytower_test_network INTERFACE)
target_link_libraries(paytower_test_network INTERFACE paytower_ledger)
