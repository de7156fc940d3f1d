# cmake -DINPUT=base.css -DOUTPUT=base.css.cpp -P embed.cmake: the file as tessera::assets::base_css.
get_filename_component(name ${INPUT} NAME)
string(MAKE_C_IDENTIFIER ${name} identifier)
file(READ ${INPUT} text)
string(FIND "${text}" ")asset\"" end)
if(NOT end EQUAL -1)
  message(FATAL_ERROR "${INPUT} holds the end of the literal that it is embedded as")
endif()
file(WRITE ${OUTPUT} "#include \"pages/assets.h\"

namespace tessera::assets {
const std::string_view ${identifier} = R\"asset(${text})asset\";
}
")
