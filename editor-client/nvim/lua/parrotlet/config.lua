--- The plugin's options, checked.
---
--- It knows the client's own options only; their defaults are those that `parrotlet settings` lists
--- under `client`. What stands in `settings` belongs to the server, which owns every default there
--- and reports wrong values. Called by `parrotlet`; others read `options`.
local M = {}

---@class parrotlet.Keys Each a key for insert mode, or false for none.
---@field accept string|false Accepts the suggestion.
---@field accept_word string|false Accepts its next word.
---@field accept_line string|false Accepts the rest of its line.
---@field next string|false Shows the next alternative.
---@field previous string|false Shows the previous alternative.
---@field dismiss string|false Hides the suggestion.
---@field suggest string|false Requests a suggestion.

---@class parrotlet.Options
---@field enabled boolean Whether suggestions are shown before they are turned on by hand.
---@field automatic boolean Whether suggestions appear while you type; else only on request.
---@field languages string[] The filetypes in which suggestions are shown.
---@field server string[] The server's command; empty searches for it.
---@field excluded_files string[] Globs of files in which no suggestions are shown.
---@field extra_index_url string An additional package index for `:Parrotlet install`.
---@field keys parrotlet.Keys
---@field settings table<string, any> The server's own settings.

---@type parrotlet.Options
M.defaults = {
  enabled = true,
  automatic = true,
  languages = { 'python' },
  server = {},
  excluded_files = {},
  extra_index_url = '',
  keys = {
    accept = '<Tab>',
    accept_word = '<M-Right>',
    accept_line = '<M-Down>',
    next = '<M-]>',
    previous = '<M-[>',
    dismiss = '<C-]>',
    suggest = '<M-Bslash>',
  },
  settings = {},
}

--- The options in force; nil before setup() and after a refused one.
---@type parrotlet.Options?
M.options = nil

--- The keys that the user named; the others are defaults.
---@type table<string, string|false>
M.chosen_keys = {}

local function is_boolean(value)
  return type(value) == 'boolean'
end

local function is_list_of_strings(value)
  return vim.islist(value)
    and vim.iter(value):all(function(item)
      return type(item) == 'string' and item ~= ''
    end)
end

local function is_table_by_name(value)
  return type(value) == 'table' and (next(value) == nil or not vim.islist(value))
end

local function is_key(value)
  return value == false or (type(value) == 'string' and value ~= '')
end

local function is_url_or_empty(value)
  return type(value) == 'string' and (value == '' or value:find('^%a+://%S+$') ~= nil)
end

---@class parrotlet.Rule
---@field [1] fun(value: any): boolean
---@field [2] string What is expected, with an example.

---@type table<string, parrotlet.Rule>
local rules = {
  enabled = { is_boolean, 'true or false' },
  automatic = { is_boolean, 'true or false' },
  languages = { is_list_of_strings, 'a list like { "python" }' },
  server = { is_list_of_strings, 'a list like { "parrotlet-server" }' },
  excluded_files = { is_list_of_strings, 'a list like { "*_pb2.py" }' },
  extra_index_url = { is_url_or_empty, 'a URL or ""' },
  keys = { is_table_by_name, 'a table like { accept = "<Tab>" }' },
  settings = { is_table_by_name, 'a table like { model = "~/model" }' },
}

--- Returns what is wrong with one table of values, in one sentence, if anything.
---@param given table
---@param rule_of fun(name: any): parrotlet.Rule?
---@param prefix string Of its names, as the user writes them.
---@param known string[]
---@return string?
local function complaint_about(given, rule_of, prefix, known)
  for name, value in pairs(given) do
    local rule = rule_of(name)
    if not rule then
      local near = require('parrotlet.settings.nearest_name').nearest(tostring(name), known)
      local remedy = near and ("did you mean '%s%s'?"):format(prefix, near)
        or 'see :help parrotlet-options'
      return ("unknown option '%s%s'; %s"):format(prefix, name, remedy)
    end
    if not rule[1](value) then
      local found = vim.inspect(value):gsub('%s+', ' ')
      return ('%s%s must be %s, not %s'):format(prefix, name, rule[2], found)
    end
  end
end

--- Lays what the user gave over the defaults.
---@param given? table
---@return parrotlet.Options?
---@return string? complaint What is wrong, in one sentence; then there are no options.
function M.resolve(given)
  if given ~= nil and type(given) ~= 'table' then
    return nil, ('setup() takes a table of options, not a %s'):format(type(given))
  end
  given = given or {}
  local complaint = complaint_about(given, function(name)
    return rules[name]
  end, '', vim.tbl_keys(rules)) or complaint_about(given.keys or {}, function(name)
    return M.defaults.keys[name] ~= nil and { is_key, 'a key like "<Tab>" or false' } or nil
  end, 'keys.', vim.tbl_keys(M.defaults.keys))
  if complaint then
    return nil, complaint
  end
  local options = vim.tbl_extend('force', vim.deepcopy(M.defaults), vim.deepcopy(given))
  options.keys = vim.tbl_extend('force', M.defaults.keys, given.keys or {})
  M.chosen_keys = vim.deepcopy(given.keys or {})
  return options
end

return M
