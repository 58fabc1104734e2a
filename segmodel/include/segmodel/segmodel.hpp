// segmodel for C++17: the same three handles, owned by objects, with exceptions instead of
// statuses.
//
//     sgm::context context;
//     sgm::model model(context, "sam_vit_b.pth");
//     sgm::session session(model);
//     session.set_image(image);
//     sgm_point point{320, 240, SGM_FOREGROUND};
//     sgm_prompt prompt{};
//     prompt.points = &point;
//     prompt.point_count = 1;
//     sgm_mask mask = session.predict(prompt);   // valid until the session's next call
//
// Header only; everything it does is in segmodel.h, which documents it.
#ifndef SEGMODEL_SEGMODEL_HPP
#define SEGMODEL_SEGMODEL_HPP

#include "segmodel/segmodel.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace sgm
{

// What a failing call throws: the status and the library's message.
class error : public std::runtime_error
{
  public:
    explicit error(sgm_status code) : std::runtime_error(sgm_last_message()), code_(code) {}
    sgm_status status() const noexcept { return code_; }

  private:
    sgm_status code_;
};

inline void check(sgm_status code)
{
    if (code != SGM_OK) throw error(code);
}

class context
{
  public:
    explicit context(const sgm_context_options &options = sgm_context_options{})
    {
        sgm_context *made = nullptr;
        check(sgm_context_create(&options, &made));
        handle_.reset(made);
    }
    sgm_context *get() const noexcept { return handle_.get(); }
    std::string device() const { return sgm_context_device(get()); }

  private:
    struct destroy {
        void operator()(sgm_context *c) const noexcept { sgm_context_destroy(c); }
    };
    std::unique_ptr<sgm_context, destroy> handle_;
};

class model
{
  public:
    model(const context &on, const std::string &path, const std::string &variant = "auto")
    {
        sgm_model *made = nullptr;
        check(sgm_model_load(on.get(), path.c_str(), variant.c_str(), &made));
        handle_.reset(made);
    }
    sgm_model *get() const noexcept { return handle_.get(); }
    sgm_model_info info() const
    {
        sgm_model_info info;
        sgm_model_get_info(get(), &info);
        return info;
    }

  private:
    struct destroy {
        void operator()(sgm_model *m) const noexcept { sgm_model_destroy(m); }
    };
    std::unique_ptr<sgm_model, destroy> handle_;
};

class session
{
  public:
    explicit session(const model &of)
    {
        sgm_session *made = nullptr;
        check(sgm_session_create(of.get(), &made));
        handle_.reset(made);
        count_ = of.info().embedding_count;
    }
    sgm_session *get() const noexcept { return handle_.get(); }

    void set_image(const sgm_image &image) { check(sgm_session_set_image(get(), &image)); }

    std::vector<float> embedding()
    {
        std::vector<float> values(count_);
        check(sgm_session_get_embedding(get(), values.data()));
        return values;
    }
    void set_embedding(const std::vector<float> &values, int width, int height)
    {
        if (values.size() != count_) throw std::invalid_argument("embedding of another size");
        check(sgm_session_set_embedding(get(), values.data(), width, height));
    }
    std::uint64_t input_hash(const sgm_image &image)
    {
        std::uint64_t hash = 0;
        check(sgm_session_input_hash(get(), &image, &hash));
        return hash;
    }

    sgm_mask predict(const sgm_prompt &prompt,
                     const sgm_predict_options &options = sgm_predict_options{})
    {
        sgm_mask mask;
        check(sgm_session_predict(get(), &prompt, &options, &mask));
        return mask;
    }
    std::vector<sgm_mask> predict(const std::vector<sgm_prompt> &prompts,
                                  const sgm_predict_options &options = sgm_predict_options{})
    {
        std::vector<sgm_mask> masks(prompts.size());
        check(sgm_session_predict_many(get(), prompts.data(), prompts.size(), &options,
                                       masks.data()));
        return masks;
    }

  private:
    struct destroy {
        void operator()(sgm_session *s) const noexcept { sgm_session_destroy(s); }
    };
    std::unique_ptr<sgm_session, destroy> handle_;
    std::size_t count_ = 0;
};

} // namespace sgm

#endif
