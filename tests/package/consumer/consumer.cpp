// consumer MODEL: what consumer.c does, with objects and exceptions.
#include <segmodel/segmodel.hpp>

#include <cstdio>
#include <vector>

namespace
{

// A missing file is an exception with the library's status and message.
bool says_what_is_missing(const sgm::context &context)
{
    try {
        sgm::model model(context, "/no/such/file.safetensors");
    } catch (const sgm::error &e) {
        return e.status() != SGM_OK && std::string(e.what()).find("/no/such") != std::string::npos;
    }
    return false;
}

} // namespace

int main(int argc, char **argv)
try {
    constexpr int side = 64;
    if (argc != 2) return 1;
    std::vector<std::uint8_t> pixels(side * side, 40);
    sgm_image image{};
    image.data = pixels.data();
    image.width = image.height = side;
    image.channels = 1;
    sgm::context context;
    sgm::model model(context, argv[1], "lite_medsam");
    sgm::session session(model);
    session.set_image(image);
    sgm_point point{32, 24, SGM_FOREGROUND};
    sgm_prompt prompt{};
    prompt.points = &point;
    prompt.point_count = 1;
    sgm_mask mask = session.predict(prompt);
    bool right = mask.width == side && mask.height == side && mask.data[0] <= 1;
    return right && says_what_is_missing(context) ? 0 : 1;
} catch (const std::exception &e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
}
