// What the page says, in the two languages that the bridge's own pages speak.
const TEXTS = {
  en: {
    lang: "en",
    title: "My membership",
    loading: "One moment …",
    trouble: "This doesn't work just now. Please try again later.",
    failed: "The sign-in didn't work. Please try again.",
    sign_in: "Sign in",
    sign_out: "Sign out",
    save: "Save",
    wrong: "This can't be taken.",
    family_name: "Family name",
    given_name: "Given name",
    mobile: "Mobile",
    email: "E-mail",
    birth_date: "Date of birth",
    said: {
      saving: "Saving …",
      waiting: "Your change is accepted and is on its way to our records …",
      saved: "Saved.",
      stale: "Your details were changed elsewhere meanwhile. Please look again.",
      refused: "That wasn't taken. Please check the fields.",
      later: "That takes longer than usual. Please look again later.",
    },
  },
  "zh-CN": {
    lang: "zh-CN",
    title: "我的会员资料",
    loading: "请稍候…",
    trouble: "暂时无法使用，请稍后再试。",
    failed: "登录未成功，请重试。",
    sign_in: "登录",
    sign_out: "退出登录",
    save: "保存",
    wrong: "无法接受此内容。",
    family_name: "姓",
    given_name: "名",
    mobile: "手机号",
    email: "邮箱",
    birth_date: "出生日期",
    said: {
      saving: "正在保存…",
      waiting: "您的修改已受理，正在写入会员资料…",
      saved: "已保存。",
      stale: "您的资料已在别处更改，请再次核对。",
      refused: "未能保存，请检查填写内容。",
      later: "处理时间较长，请稍后再查看。",
    },
  },
};

/** The texts for a browser's language. */
export function texts(language) {
  return language.startsWith("zh") ? TEXTS["zh-CN"] : TEXTS.en;
}
