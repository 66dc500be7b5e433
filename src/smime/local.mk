noinst_LIBRARIES += libsp_smime.a
libsp_smime_a_SOURCES =
